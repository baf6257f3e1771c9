"""Which sessions, orders and behaviour sequences do the events form?"""

"""What do the gold tables say, as HTML pages?"""

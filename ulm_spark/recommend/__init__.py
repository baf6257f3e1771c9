"""Which items should a user see, and how well are they chosen?"""

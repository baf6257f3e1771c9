"""What would a shop with known, planted truth have recorded?"""

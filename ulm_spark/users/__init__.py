"""Who is each user as of a day: features, persona, stage, segment, value, relations?"""

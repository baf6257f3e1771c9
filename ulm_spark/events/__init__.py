"""Which raw events are clean, which go to quarantine, and who sent them?"""

"""What does each Delta table and topic hold: grain, key, columns, units, layout, writer?"""

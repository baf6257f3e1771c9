"""In which order do the jobs run, and what runs them?"""

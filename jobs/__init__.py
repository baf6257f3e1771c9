"""Which spark-submit entry points exist, one file per job?"""

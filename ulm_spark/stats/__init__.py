"""Which arithmetic is worth auditing: likelihoods, test statistics, ranking metrics?"""

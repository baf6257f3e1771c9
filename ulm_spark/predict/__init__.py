"""What will a user do next: churn, lifetime value, conversion, demand?"""

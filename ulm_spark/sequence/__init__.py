"""Which item comes next in a user's history, learned by Keras without Spark?"""

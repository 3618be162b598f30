"""Training, testing and predicting. `striate.api` joins them with the report into the verbs."""

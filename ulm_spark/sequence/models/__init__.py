"""Networks that turn a history into the state from which items are scored."""

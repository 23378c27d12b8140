"""What people and machines read of the whole: the books first. Changes nothing."""

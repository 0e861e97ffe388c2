//! Speaker drivers; private, so that only the registry can name them.

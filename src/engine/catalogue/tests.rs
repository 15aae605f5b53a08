//! Behaviour of the catalogue, from data files.

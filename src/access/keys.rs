//! Access keys: minted, hashed, compared in constant time, kept in a file.

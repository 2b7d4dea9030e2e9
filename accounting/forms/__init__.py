"""Forms with files (RFC 7578): how they are read, where their files wait meanwhile, and how they are written."""

"""Search by vectors: exact index, feature files, query composition."""

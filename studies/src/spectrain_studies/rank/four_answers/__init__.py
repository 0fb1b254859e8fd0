"""The document's four questions, each answered by the data that separate the answers."""

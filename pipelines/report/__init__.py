"""What people look at: descriptions of artifacts, pictures of clusters and temperatures."""

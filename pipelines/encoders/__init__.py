"""From texts, images and clips to vectors, by models as they come and by runs."""

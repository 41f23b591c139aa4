"""One file for each page or group of pages; its templates have its name."""

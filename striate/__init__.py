"""Striate: convolutional networks written as papers write them, sized, drawn, trained and shown."""

"""The genre classifier: MFCC features, a small convolutional network, its report and proposals."""

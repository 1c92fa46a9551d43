"""The staff console: one page per question, in Chinese and English."""

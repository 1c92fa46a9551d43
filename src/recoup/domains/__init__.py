"""The rooms of the business, in a fixed order of knowledge: a lower one never imports a higher."""

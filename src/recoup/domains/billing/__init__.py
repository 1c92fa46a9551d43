"""Bills and their lines; imported bills of another system carry no run."""

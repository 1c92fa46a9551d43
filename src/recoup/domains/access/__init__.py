"""Who may sign in, what their role allows, and which rows they see."""

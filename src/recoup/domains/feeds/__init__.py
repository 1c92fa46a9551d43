"""What arrives from outside: feeds with watermarks, loads with control totals, quarantine and conflicts."""

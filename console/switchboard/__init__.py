"""The switchboard: what is in force, who stops and who releases it, and whether that reached everybody."""

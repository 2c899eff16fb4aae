"""Who answers for what: giving roles, taking them on, handing them over, and what waits for whoever looks."""

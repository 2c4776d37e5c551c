"""What a year of runs leaves in EVE_HOME and nobody needs any more."""

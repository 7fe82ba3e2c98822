"""Member profiles: tags of every member and date, and the profile made of them."""

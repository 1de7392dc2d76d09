"""The dashboard: a page of the admin listener, fed by Roost channels of its own."""

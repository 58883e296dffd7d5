"""The policy that needs no model: fix templates, weighed by what the failing tests show."""

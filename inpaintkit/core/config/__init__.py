"""Configuration: YAML files with positions, their layers, and the schema that constructors' signatures are."""

"""How does a YAML file under conf/ become a checked, frozen dataclass?"""

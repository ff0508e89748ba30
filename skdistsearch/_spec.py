def contenders_from_spec(spec: object) -> object:
    """."""
    return spec

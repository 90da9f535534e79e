//! The rules of the house, as tests: this library is empty, see `tests/tidy/`.

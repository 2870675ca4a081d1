"""The command line: options -> call -> display. Nothing else in aot prints, colours or exits."""

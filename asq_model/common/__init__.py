"""What all packages of this project share: errors, files, records, tables and command lines. Free of torch."""

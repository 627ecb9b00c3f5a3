"""The multiply-accumulate units: stages that multiply, add up and round, and the unit that is made of them."""

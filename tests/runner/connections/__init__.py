"""What a revision does with connections: with the step's, after its transaction has ended, and with others of its own."""

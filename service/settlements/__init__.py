"""Settlement files of payment providers: taken whole or refused, each line tied or named."""

"""The sandbox, tested over real sockets and from outside: nothing of the client's code is used here."""

"""How calls are answered: the WSGI application, routing, parameters, the form of answers."""

"""Between the web server and Django: whole bodies, so many threads, and health checks that need neither.

The server (granian) gives each request to an event loop, which holds thousands of connections for nothing.
Only a request whose body is here gets one of the threads that Django's pages and API run in.

- `application` says what becomes of a request; `bodies` reads bodies, with a deadline and a size;
- `gathering` has usual calls of gateways worked in batches, without Django;
- `threads` runs Django, in `places`, of which `crowds` keeps some for gateways and lets nobody take all;
  `wsgi_calls` turns a request into what Django is called with, and back;
- `watches` looks after what is slow to find out; `door` answers the supervisor's probe of this process.
"""

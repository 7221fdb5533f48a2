"""The demo: Teams, people and a month of their usage and purchases, to try everything with.

`cast` says who there is; `people`, `purchases`, `usage`, `bars` and `crowd` make what they have, `support`
what operators are asked about; `world` tells the story of their month; `loading` makes what is missing and
writes `credentials`; `removal` takes it away.
"""

from tokenplan.runtime.demo.credentials import gateway_key, sign_ins, write_gateway_url
from tokenplan.runtime.demo.loading import DemoRemoved, load_demo
from tokenplan.runtime.demo.people import demo_people
from tokenplan.runtime.demo.removal import remove_demo

__all__ = [
    "DemoRemoved",
    "demo_people",
    "gateway_key",
    "load_demo",
    "remove_demo",
    "sign_ins",
    "write_gateway_url",
]

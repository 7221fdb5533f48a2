"""The REST API of quota, a room for each kind of caller: gateways, key holders, people.

The modules beside the rooms are what several of them answer: receipts, the usage bar, usage added up.
"""

"""A FastAPI application whose dashboard is live: orders come by HTTP, and every open page shows them at once.

make run EXAMPLE=orders
curl -X POST 'localhost:4000/orders?item=tea&price=3.5'
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from roost import Channel, Endpoint, Ok, Socket

HERE = Path(__file__).parent
app = FastAPI()


@app.post("/orders")
async def order(item: str, price: float):
    await endpoint.broadcast("orders", "placed", {"item": item, "price": price})
    return {"placed": item}


@app.get("/")
async def page():
    return FileResponse(HERE / "orders.html")


@app.get("/channels.js")
async def script():
    return FileResponse(HERE / "channels.js")


class DashboardSocket(Socket):
    """Everybody may; yours asks who it is."""


class OrdersChannel(Channel[DashboardSocket]):
    async def join(self, params):
        return Ok({"currency": "EUR"})


DashboardSocket.route("orders", OrdersChannel)
endpoint = Endpoint(sockets={"/socket": DashboardSocket}, app=app)

// A small client of Phoenix channels for the examples' pages; applications use phoenix.js.
// Every frame is [join_ref, ref, topic, event, payload] (protocol V2).
export function connect(params, { onState = () => {} } = {}) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const channels = new Map();
  let socket;
  let ref = 0;
  let delay = 100;

  const send = (joinRef, topic, event, payload) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify([joinRef, `${++ref}`, topic, event, payload]));
  };

  const join = (channel) => {
    channel.joinRef = `${ref + 1}`;
    send(channel.joinRef, channel.topic, "phx_join", {});
  };

  function open() {
    socket = new WebSocket(`${scheme}//${location.host}/socket/websocket?${new URLSearchParams({ vsn: "2.0.0", ...params })}`);
    let heartbeat;
    socket.onopen = () => {
      delay = 100;
      onState("connected");
      channels.forEach(join);
      heartbeat = setInterval(() => send(null, "phoenix", "heartbeat", {}), 30000);
    };
    socket.onmessage = ({ data }) => {
      const [joinRef, , topic, event, payload] = JSON.parse(data);
      const channel = channels.get(topic);
      if (!channel || (joinRef && joinRef !== channel.joinRef)) return;
      if (event === "phx_error") return setTimeout(() => join(channel), 1000);
      if (event === "phx_reply" && payload.status === "ok" && !channel.joined) channel.joined = true;
      channel.handlers[event]?.(payload);
    };
    socket.onclose = () => {
      clearInterval(heartbeat);
      channels.forEach((channel) => (channel.joined = false));
      onState("connecting again");
      setTimeout(open, delay);
      delay = Math.min(delay * 2, 5000);
    };
  }

  open();
  return {
    channel(topic, handlers) {
      const channel = { topic, handlers, joined: false };
      channels.set(topic, channel);
      if (socket.readyState === WebSocket.OPEN) join(channel);
      return { push: (event, payload) => send(channel.joinRef, topic, event, payload) };
    },
  };
}

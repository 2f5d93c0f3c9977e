@echo off
rem Your first order with the curl that Windows has:
rem
rem     set OPENALGO_API_KEY=your-key
rem     examples\curl\first_order.cmd
rem
rem It asks once. If no answer comes, look at the Orders page of the bridge before you run it again.
rem
rem The key goes through standard input: what stands on a command line, every program of this PC can read. So the second
rem cmd is given its name only, between exclamation marks, and looks the key up itself.
setlocal DisableDelayedExpansion
if "%BRIDGE_URL%"=="" set BRIDGE_URL=http://127.0.0.1:5000
cmd /v:on /c echo header=X-API-KEY:!OPENALGO_API_KEY!| curl --silent --show-error --config - --noproxy * --max-time 30 --header "Content-Type: application/json" --data "{\"strategy\":\"first_order\",\"symbol\":\"RELIANCE\",\"exchange\":\"NSE\",\"action\":\"BUY\",\"product\":\"MIS\",\"quantity\":\"1\"}" "%BRIDGE_URL%/api/v1/placeorder"

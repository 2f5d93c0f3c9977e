@echo off
rem Your first order with the curl that Windows has:
rem
rem     set OPENALGO_API_KEY=your-key
rem     examples\curl\first_order.cmd
rem
rem It asks once. If no answer comes, look at the Orders page of the bridge before you run it again.
if "%BRIDGE_URL%"=="" set BRIDGE_URL=http://127.0.0.1:5000
curl --silent --show-error --max-time 30 --header "Content-Type: application/json" --header "X-API-KEY: %OPENALGO_API_KEY%" --data "{\"strategy\":\"first_order\",\"symbol\":\"RELIANCE\",\"exchange\":\"NSE\",\"action\":\"BUY\",\"product\":\"MIS\",\"quantity\":\"1\"}" "%BRIDGE_URL%/api/v1/placeorder"

-- wrk sends Host itself: 29 more make 30.
for number = 1, 29 do
  wrk.headers["X-Request-Header-" .. number] = "value of request header " .. number
end
